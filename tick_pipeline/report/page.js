// The reader's choice of colours; without one, the system's. A page opened from a file may have no storage.
(() => {
  const root = document.documentElement
  const stored = (work) => { try { return work(window.localStorage) } catch { return null } }
  const choose = (theme) => {
    if (theme === "auto") delete root.dataset.theme
    else root.dataset.theme = theme
    for (const button of document.querySelectorAll(".switch button"))
      button.setAttribute("aria-pressed", String(button.value === theme))
    stored((storage) => storage.setItem("tick_pipeline.theme", theme))
  }
  for (const button of document.querySelectorAll(".switch button"))
    button.addEventListener("click", () => choose(button.value))
  const before = stored((storage) => storage.getItem("tick_pipeline.theme"))
  choose(["light", "dark"].includes(before) ? before : "auto")

  // Charts live in shadow trees, which the page's own rules do not reach: each gets those of #chart-style.
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(document.getElementById("chart-style").textContent)
  const drawings = (node) => [...node.querySelectorAll("*")].flatMap((element) =>
    element.shadowRoot ? [...(element.shadowRoot.querySelector("svg") ? [element.shadowRoot] : []), ...drawings(element.shadowRoot)] : [])
  const dress = () => {
    let left = 0
    for (const chart of document.querySelectorAll(".chart [data-root-id]")) {
      const found = drawings(chart)
      for (const inside of found)
        if (!inside.adoptedStyleSheets.includes(sheet)) inside.adoptedStyleSheets = [...inside.adoptedStyleSheets, sheet]
      left += found.length === 0
    }
    if (left) requestAnimationFrame(dress)
    else root.dataset.charts = "drawn"
  }
  dress()
})()
