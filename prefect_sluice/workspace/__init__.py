"""What one command works with: environments, warehouse, state store, folders, and the policy that counts."""
