variable "name" {
  description = "Name of the role; unique in the account, in every region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[\\w+=,.@-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits or + = , . @ - _ (IAM's rule for roles); given: \"${var.name}\"."
  }
}

variable "description" {
  description = "What the actor does, one line."
  type        = string
  nullable    = false
}

variable "trust" {
  description = <<-TEXT
    Who may become the actor: AWS services (as `glue.amazonaws.com`), principals (ARNs), or both. The other three bind
    the services to this account, so that nobody else's resource makes them act here: `external_id` and
    `source_account` must be equal, `source_arns` may hold `*`. Set only what the service sends, or it is locked out.
  TEXT
  type = object({
    services       = optional(list(string), [])
    principals     = optional(list(string), [])
    external_id    = optional(string)
    source_account = optional(string)
    source_arns    = optional(list(string), [])
  })
  nullable = false

  validation {
    condition     = length(var.trust.services) + length(var.trust.principals) > 0
    error_message = "trust must name one service or principal at least: a role that nobody can assume does nothing."
  }

  validation {
    condition     = alltrue([for arn in var.trust.principals : arn != "*"])
    error_message = "trust.principals must be ARNs; \"*\" would be everyone."
  }
}

variable "policy" {
  description = "What the actor may do: an IAM policy document as JSON."
  type        = string
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the policy that bounds the role; null for none."
  type        = string
  default     = null
}

variable "max_session_hours" {
  description = "How long a session may last, in hours. A role that is assumed from another role gets one hour in any case."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.max_session_hours >= 1 && var.max_session_hours <= 12 && floor(var.max_session_hours) == var.max_session_hours
    error_message = "max_session_hours must be a whole number from 1 to 12; given: ${var.max_session_hours}."
  }
}
