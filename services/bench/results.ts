/** What all scenarios found. */
import type { Figure } from "./table.ts";
import type { Window } from "./window.ts";

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

  /** Those with a target stand first in the report. */
  addFigures(figures: readonly Figure[]): void {
    for (const figure of figures) (figure.target === undefined ? this.figures : this.ratios).push(figure);
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

export function microsecondsPerEvent({ cpu, delivered }: Window): number {
  return cpu / delivered * 1e6;
}
