"""What people would use instead, one file each. Each function gives the call that is measured, ready to be made."""
