"""Terms of the loss, and the schedules that weigh them."""
