"""What can be asked without changing anything: previews, estimates, explanations."""
