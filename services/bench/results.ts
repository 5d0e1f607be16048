/** What all scenarios found. */
import type { Figure } from "./table.ts";
import type { Window } from "./window.ts";

/** The unit of figures that are ratios. */
const RATIO = "x";

/** What the plots show: one server at one rate, the median of its runs. */
export interface Point {
  readonly server: string;
  /** Updates per second. */
  readonly rate: number;
  readonly eventsPerCpuSecond: number;
  /** Milliseconds from publish to receipt. */
  readonly p50: number;
  readonly p99: number;
}

/** The runs of one server under one load. */
export interface Measured {
  readonly what: string;
  readonly windows: readonly Window[];
}

export class Results {
  /** What has a target, and what is a comparison. */
  readonly ratios: Figure[] = [];
  readonly figures: Figure[] = [];
  readonly measured: Measured[] = [];
  /** What makes figures doubtful, and what could not be measured. */
  readonly notes: string[] = [];
  readonly points: Point[] = [];

  /** Those with a target, and ratios, stand first in the report. */
  addFigures(...figures: readonly Figure[]): void {
    for (const figure of figures) {
      (figure.target === undefined && figure.unit !== RATIO ? this.figures : this.ratios).push(figure);
    }
  }

  note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }

  addWindows(what: string, windows: readonly Window[]): void {
    this.measured.push({ what, windows });
    for (const [run, { doubts }] of windows.entries()) {
      for (const doubt of doubts) this.note(`${what}, run ${run + 1}: ${doubt}`);
    }
  }
}

/** The ratio of a figure in each run. */
export function perRun(
  ours: readonly Window[],
  theirs: readonly Window[],
  figure: (window: Window) => number,
): number[] {
  return ours.map((window, run) => figure(window) / figure(theirs[run]!));
}

export function microsecondsPerEvent({ cpu, delivered }: Window): number {
  return cpu / delivered * 1e6;
}
