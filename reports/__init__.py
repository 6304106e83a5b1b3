"""Tables, figures and pages, made from records and published numbers by pure functions of a DataFrame."""
