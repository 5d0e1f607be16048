/** Lines over two logarithmic scales, as SVG. */
// @ts-types="@types/d3-scale"
import { scaleLog } from "d3-scale";
// @ts-types="@types/d3-shape"
import { line as lineThrough } from "d3-shape";

export interface Line {
  /** Stands at its right end. */
  readonly label: string;
  /** Which of the colours. */
  readonly color: number;
  readonly isDashed: boolean;
  /** Both coordinates above 0. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  readonly title: string;
  readonly note: string;
  readonly xTitle: string;
  readonly lines: readonly Line[];
}

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 64;
/** Room for the labels. */
const RIGHT = 120;
const TOP = 72;
const BOTTOM = 52;
/** Between the baselines of two labels. */
const LABEL_HEIGHT = 16;

/** Dark ones for light paper and the reverse, told apart by those who see no red or green too. */
const COLORS = [
  { light: "#0969da", dark: "#58a6ff" },
  { light: "#bc4c00", dark: "#f0883e" },
  { light: "#6e7781", dark: "#a0a8b2" },
  { light: "#8250df", dark: "#bc8cff" },
];

const style = (scheme: "light" | "dark") => {
  const [paper, ink, faint, rule] = scheme === "light"
    ? ["#ffffff", "#1f2328", "#59636e", "#d8dee4"]
    : ["#0d1117", "#f0f6fc", "#9198a1", "#2f363d"];
  const colors = COLORS.map((color, index) => `--line-${index}: ${color[scheme]};`).join(" ");
  return `svg { --paper: ${paper}; --ink: ${ink}; --faint: ${faint}; --rule: ${rule}; ${colors} }`;
};

const STYLE = `
${style("light")}
@media (prefers-color-scheme: dark) { ${style("dark")} }
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: var(--faint); }
.title { font-size: 17px; font-weight: 600; fill: var(--ink); }
.paper { fill: var(--paper); }
.rule { stroke: var(--rule); stroke-width: 1; }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
.dashed { stroke-dasharray: 2 6; }
${
  COLORS.map((_, index) =>
    `.line-${index} { stroke: var(--line-${index}); } .fill-${index} { fill: var(--line-${index}); }`
  ).join("\n")
}
`;

export function drawLines({ title, note, xTitle, lines }: Plot): string {
  const drawn = lines.filter(({ points }) => points.length > 0);
  const xs = drawn.flatMap(({ points }) => points.map(([x]) => x));
  const ys = drawn.flatMap(({ points }) => points.map(([, y]) => y));
  const x = scaleLog([Math.min(...xs), Math.max(...xs)], [LEFT, WIDTH - RIGHT]);
  const y = scaleLog([Math.min(...ys), Math.max(...ys)], [HEIGHT - BOTTOM, TOP]).nice();
  const path = lineThrough<readonly [number, number]>(([value]) => x(value), ([, value]) => y(value));
  const ends = drawn.map(({ points }) => y(points.at(-1)![1]));
  const labelPlaces = spread(ends, LABEL_HEIGHT, HEIGHT - BOTTOM);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" \
role="img" aria-label="${escape(title)}">
<style>${STYLE}</style>
<rect class="paper" width="${WIDTH}" height="${HEIGHT}" rx="8"/>
<text class="title" x="20" y="32">${escape(title)}</text>
<text x="20" y="52">${escape(note)}</text>
${
    powersOfTen(y.domain()).map((value) =>
      `<line class="rule" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(value))}" y2="${
        round(y(value))
      }"/>` +
      `<text x="${LEFT - 8}" y="${round(y(value) + 4)}" text-anchor="end">${short(value)}</text>`
    ).join("\n")
  }
${
    powersOfTen(x.domain()).map((value) =>
      `<text x="${round(x(value))}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${
        value.toLocaleString("en")
      }</text>`
    ).join("\n")
  }
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">${escape(xTitle)}</text>
${
    drawn.map(({ label, color, isDashed, points }, index) => {
      const number = color % COLORS.length;
      const dots = points.map(([px, py]) =>
        `<circle class="fill-${number}" cx="${round(x(px))}" cy="${round(y(py))}" r="3.5"/>`
      );
      return `<path class="line line-${number}${isDashed ? " dashed" : ""}" d="${path(points)}"/>${
        dots.join("")
      }` +
        `<text class="fill-${number}" x="${round(x(points.at(-1)![0]) + 10)}" \
y="${round(labelPlaces[index]! + 4)}">${escape(label)}</text>`;
    }).join("\n")
  }
</svg>
`;
}

/** The same places in the same order, moved apart where they are closer than the gap, and none beyond the end. */
export function spread(places: readonly number[], gap: number, end: number): number[] {
  const order = places.map((_, index) => index).toSorted((a, b) => places[a]! - places[b]!);
  const moved = [...places];
  for (const [rank, index] of order.entries()) {
    if (rank > 0) moved[index] = Math.max(moved[index]!, moved[order[rank - 1]!]! + gap);
  }
  let last = end;
  for (const index of order.toReversed()) {
    moved[index] = Math.min(moved[index]!, last);
    last = moved[index]! - gap;
  }
  return moved;
}

function powersOfTen(domain: readonly number[]): number[] {
  const exponents = domain.map((value) => Math.log10(value));
  const first = Math.ceil(Math.min(...exponents) - 1e-9);
  const last = Math.floor(Math.max(...exponents) + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

function short(value: number): string {
  return value.toLocaleString("en", { notation: "compact" });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
