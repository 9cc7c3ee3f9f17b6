"""What people read: what is recorded, gathered and rendered as text, Markdown, HTML and links."""
