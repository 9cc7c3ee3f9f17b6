"""Artifacts of one promotion, each a page of Markdown: plan, report, diff, approval, generation."""
