"""The report of one promotion: one model (`build.report`), shown on a terminal, as Markdown, as a page, and as JSON."""
