"""The look that the programs share with the rest of the site.

No styles and no scripts in the page, so that the strictest content security policy may stand.
"""

import secrets
from html import escape as text

SITE = (("", "Kamea"), ("how.html", "How it works"), ("songs/", "Songs"), ("programs.html", "Programs"))


def render(request, title: str, body: str, lead: str = "", heading: str = "") -> str:
    """A whole page; title, lead and heading are text, the body is markup."""
    links = "".join(f'<a href="{request.root}{path}">{name}</a>' for path, name in SITE)
    introduction = f'<p class="lead">{text(lead)}</p>\n' if lead else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)} · Kamea</title>
<link rel="icon" href="{request.root}favicon.svg">
<link rel="stylesheet" href="{request.root}style.css">
<link rel="stylesheet" href="{request.root}cgi.css">
</head>
<body>
<nav>{links}</nav>
<main>
<h1>{text(heading or title)}</h1>
{introduction}{body}
</main>
<footer>A program has written this page: a CGI script, started for your request alone.
<a href="{request.root}programs.html">More of them</a></footer>
</body>
</html>
"""


def form_mark() -> str:
    """A hidden field that tells one form from another, so that a form that is sent twice counts once."""
    return f'<input type="hidden" name="form" value="{secrets.token_hex(8)}">'


def problems(errors: dict) -> str:
    """What is wrong with a form, with a link to each field; nothing if nothing is."""
    if not errors:
        return ""
    items = "".join(f'<li><a href="#{field}">{text(message)}</a></li>' for field, message in errors.items())
    return f"""<div class="problem" role="alert">
<p>Nothing has been lost, but something has to be mended:</p>
<ul>{items}</ul>
</div>
"""


def problem_of(errors: dict, field: str, message: str = "") -> str:
    """The note beside a field that is wrong, with a message of its own or that of the errors; see `described`."""
    return f'<p class="wrong" id="{field}-problem">{text(message or errors[field])}</p>\n' if field in errors else ""


def described(errors: dict, field: str) -> str:
    """The attributes that lead from a field to the note beside it."""
    return f' aria-invalid="true" aria-describedby="{field}-problem"' if field in errors else ""


def bar(share: float) -> str:
    """A bar that is filled by a share from 0 to 1; its number has to stand beside it as text."""
    return ('<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="track" width="100" height="10"/><rect class="share" width="{100 * share:.1f}" height="10"/></svg>')
