"""Checks of notebook 12 App."""

from html import unescape

from classroom.checks.verdict import Wrong, call, check, near, numbers


@check(
    "Set `gigabytes` to a number: rows × columns × bands × bytes, in 10⁹ bytes.",
    "The file says nothing of it: only the size in the header does.",
)
def gigabytes(gigabytes):
    """12, warm-up: what a picture takes in memory."""
    (found,) = numbers(gigabytes, 1)
    if near(found, 1.8, 0.01):
        return
    if near(found, 0.6, 0.01):
        raise Wrong("This is one band. RGB has three.")
    if near(found, 1.676, 0.01):
        raise Wrong("These are units of 2³⁰ bytes. Asked for are units of 10⁹.")
    if near(found, 14.4, 0.1):
        raise Wrong("These are gigabits: a pixel of 8 bits in each band has a byte in each.")
    if near(found, 1.8e9, 1e7) or near(found, 1800, 10):
        raise Wrong("The digits are right; in units of 10⁹ bytes, please.")
    raise Wrong("20,000 × 30,000 pixels, three bands of one byte each.")


@check(
    "Set `waits` to three numbers: seconds of the last one, mean seconds, people at most.",
    "All at once would make everybody wait 60 seconds: a queue serves most of them sooner.",
)
def waits(waits):
    """12, knob: a queue of twenty."""
    last, mean, most = numbers(waits, 3)
    if near(last, 31.5) and near(mean, 60):
        raise Wrong("The last one first, please.")
    if near(last, 57) or near(mean, 28.5):
        raise Wrong("That is until your own turn comes. Mapping your own picture takes 3 s more.")
    if near(last, 60) and near(mean, 30):
        raise Wrong("Nearly: the first one waits 3 s, not 0. The mean of 3, 6, …, 60?")
    if not near(last, 60):
        raise Wrong("The first waits 3 s, the second 6 s, and so on.")
    if not near(mean, 31.5):
        raise Wrong("The last one is right. The mean of 3, 6, …, 60?")
    if not near(most, 10):
        raise Wrong("Both times are right. Which of 3, 6, 9, … are at most 30?")


#: Names as they may come: harmless, with signs of HTML, and harmful in three places.
NAMES = (
    "Land", "Parks & gardens", "Trees, height < 3 m", "<script>alert('x')</script>",
    '<img src="x" onerror=steal()>', "<svg onload=steal()>",
)  # fmt: skip


@check(
    "`legend` takes names and shares and returns HTML.",
    "Whatever comes from outside is text until it is escaped: names of files and of classes alike.",
)
def safe_legend(legend):
    """12, repair: names that become code."""
    shares = (0.4, 0.2, 0.1, 0.1, 0.1, 0.1)
    found = call(legend, list(NAMES), list(shares), parts=0)
    if not isinstance(found, str):
        raise Wrong("It should return HTML, as one text.")
    if not (found.startswith("<ul>") and found.endswith("</ul>")):
        raise Wrong("The list should still begin with <ul> and end with </ul>.")
    lines = found[len("<ul>") : -len("</ul>")].replace("<li>", "").split("</li>")[:-1]
    if len(lines) != len(NAMES):
        raise Wrong("A line is gone, or there is one more.")
    if "<script" in found:
        raise Wrong("A name that holds code still becomes code on the page.")
    if any("<" in line for line in lines):
        raise Wrong("A < of a name is still a sign of HTML: there is other code than scripts.")
    if "&amp;amp;" in found or "&amp;lt;" in found:
        raise Wrong("Escaped twice: the page would show signs such as &amp;.")
    if "& " in lines[1]:
        raise Wrong("A plain & begins a sign of HTML: it needs its escape, too.")
    for line, name, share in zip(lines, NAMES, shares, strict=True):
        if unescape(line) != f"{name}: {share:.0%}":
            raise Wrong(f"The page would show {unescape(line)!r}. The name should stay as it is.")
