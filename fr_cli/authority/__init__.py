"""Who may do what, and why: the policy and the identity of the operator."""
