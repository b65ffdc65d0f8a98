"""What people and assistants read without signing in: the connectors' guides and the product's docs."""
