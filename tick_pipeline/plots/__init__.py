"""Pictures of candles, the band around them and the anomalies: their data, and two ways to draw them."""
