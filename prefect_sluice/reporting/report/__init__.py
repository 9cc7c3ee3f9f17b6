"""The report of one promotion: one model (`build.report`), shown on a terminal, as Markdown, as a page, and as JSON.

What the page says stands in `sections`, `changes` and `findings`; `html` and `templates/` give it its form.
"""
