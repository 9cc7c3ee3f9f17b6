"""What a run shows of one promotion, each as a page of Markdown of its own: plan, report, diff, approval, generation."""
