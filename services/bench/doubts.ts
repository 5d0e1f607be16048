/** What makes the figures of a run doubtful; who reads a benchmark should not have to guess. */
import type { Mark, Ready } from "./load/protocol.ts";
import type { Published } from "./publisher/protocol.ts";

/** Part of a core from which the load or the publisher may be the limit. */
const BUSY = 0.9;
/** Part of its rate that a publisher must reach. */
const PACE = 0.97;

export interface Evidence {
  /** Updates per second: wanted, and published. */
  readonly rate: number;
  readonly updatesPerSecond: number;
  readonly topics: number;
  /** Part of a core that each of them took. */
  readonly loadCpu: number;
  readonly publisherCpu: number;
  readonly ready: Ready;
  /** Once nothing more came. */
  readonly last: Mark;
  /** False when that did not come about in time. */
  readonly isDrained: boolean;
  readonly published: Published;
}

export function doubtsAbout(evidence: Evidence): string[] {
  const { rate, updatesPerSecond, loadCpu, publisherCpu, ready, last, isDrained, published } = evidence;
  const doubts = [
    loadCpu > BUSY && `client-bound, distrust: the load took ${percent(loadCpu)} of a core`,
    publisherCpu > BUSY && `publisher-bound: the publisher took ${percent(publisherCpu)} of a core`,
    updatesPerSecond < PACE * rate && `only ${Math.round(updatesPerSecond)} updates/s could be published`,
    !ready.realtime && "the load has no real-time priority (only root may), which makes servers look cheaper",
    ready.failed > 0 && `${ready.failed} streams could not be opened`,
    last.closed > 0 && `${last.closed} streams were closed by the server`,
    published.failed > 0 && `${published.failed} publishes failed: ${published.error}`,
    !isDrained && "overloaded: long after the last publish there was still more to come",
  ].filter((doubt) => doubt !== false);
  return isDrained ? [...doubts, ...losses(evidence)] : doubts;
}

/** Whether everybody got everything. */
function losses({ topics, last, published: { acknowledged } }: Evidence): string[] {
  const { events, sampleMin, sampleMax, bodyMin, bodyMax } = last;
  if (topics > 1) {
    return events === acknowledged ? [] : [`${acknowledged} updates were published, ${events} events came`];
  }
  return [
    (sampleMin !== acknowledged || sampleMax !== acknowledged) &&
    `${acknowledged} updates were published, readers have ${sampleMin} to ${sampleMax}`,
    bodyMin !== bodyMax && `the readers disagree: they have ${bodyMin} to ${bodyMax} bytes each`,
  ].filter((loss) => loss !== false);
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`;
}
