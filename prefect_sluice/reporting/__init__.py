"""Reports for people: gathers what is recorded and renders it as text, Markdown, HTML and links."""
