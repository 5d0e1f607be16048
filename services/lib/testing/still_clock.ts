/** For tests of what takes its time into account: on a busy machine, anything may take long. */

/** Takes the place of the clock of `performance` for all of a test file, and moves only when it is told to. */
export class StillClock {
  #now = 0;

  constructor() {
    performance.now = () => this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}
