# One plan with nothing left open, for test_policies.py to read every policy in it:
#
#   terraform test -test-directory=tests/policies -var region=us-east-1 -var-file=profiles/production.tfvars -verbose -json

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

run "plan" {
  command = plan
}
