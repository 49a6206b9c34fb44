#!/usr/bin/python3
"""A picture of ecmp_trace's live view, as SVG: tests/e2e/screenshot.py FILE.svg [--keys KEYS] [--size 100x30]

Runs it on a scenario of the simulated network in tmux, presses the keys and draws what the terminal shows. The pictures
in docs/images are made by it."""
import argparse
import os
import re
import sys
import time
import xml.sax.saxutils

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tmux import Terminal, soon  # noqa: E402
from tracer import BINARY, scenario  # noqa: E402

WIDTH, HEIGHT, SIZE = 8.4, 18, 14  # of a cell; of the letters
PAPER, INK = "#14181d", "#d8dee4"


def runs(line):
    """[(column, text, style)] of a line with SGR sequences; style is (colour, bold, underline, reverse)."""
    found, column, style = [], 0, (None, False, False, False)
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        match = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if match:
            style = changed(style, [int(number or 0) for number in match.group(1).split(";")])
        elif part:
            found.append((column, part, style))
            column += len(part)
    return found


def changed(style, numbers):
    colour, bold, underline, reverse = style
    numbers = list(numbers)
    while numbers:
        number = numbers.pop(0)
        if number == 0:
            colour, bold, underline, reverse = None, False, False, False
        elif number == 38 and numbers[:1] == [2]:
            colour, numbers = "#{:02x}{:02x}{:02x}".format(*numbers[1:4]), numbers[4:]
        elif number == 39:
            colour = None
        elif number in (1, 22):
            bold = number == 1
        elif number in (4, 24):
            underline = number == 4
        elif number in (7, 27):
            reverse = number == 7
    return colour, bold, underline, reverse


def svg(painted, columns):
    lines = painted.rstrip("\n").split("\n")
    width, height = columns * WIDTH + 2 * WIDTH, (len(lines) + 1) * HEIGHT
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
           f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{SIZE}">',
           f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>']
    for row, line in enumerate(lines):
        for column, text, (colour, bold, underline, reverse) in runs(line):
            x, y, length = (column + 1) * WIDTH, (row + 0.5) * HEIGHT, len(text) * WIDTH
            colour = colour or INK
            if reverse:
                out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{length:.1f}" height="{HEIGHT}" fill="{colour}"/>')
                colour = PAPER
            if underline:
                out.append(f'<rect x="{x:.1f}" y="{y + HEIGHT - 2:.1f}" width="{length:.1f}" height="1" fill="{colour}"/>')
            # Blanks at the ends are no letters: the length would be wrong with them.
            start = len(text) - len(text.lstrip())
            text = text.strip()
            if text:
                style = ' font-weight="bold"' if bold else ""
                out.append(f'<text x="{x + start * WIDTH:.1f}" y="{y + HEIGHT * 0.74:.1f}" textLength="{len(text) * WIDTH:.1f}" '
                           f'xml:space="preserve" fill="{colour}"{style}>{xml.sax.saxutils.escape(text)}</text>')
    return "\n".join([*out, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--keys", default="", help="to press, separated by blanks, as tmux calls them")
    parser.add_argument("--size", default="100x30")
    parser.add_argument("--scenario", default="backbone")
    parser.add_argument("--flows", default="12")
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    columns, rows = map(int, given.size.split("x"))
    with Terminal(columns, rows, COLORTERM="truecolor") as terminal:
        terminal.run(BINARY, "--simulate", scenario(given.scenario), "-P", given.flows, "-d", "250ms", "-i", "5ms", "-t", "200ms")
        soon(lambda: any(int(number) >= given.rounds for number in re.findall(r"(\d+) rounds", terminal.text())), 120)
        if given.keys:
            terminal.press(*given.keys.split())
        time.sleep(0.5)  # for the picture after the keys
        painted = terminal.painted()
    with open(given.file, "w", encoding="utf-8") as file:
        file.write(svg(painted, columns))


if __name__ == "__main__":
    main()
