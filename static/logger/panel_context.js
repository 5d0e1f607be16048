// @ts-check
/// <reference lib="dom" />
/**
 * What the panels and the alerts get to see of the page.
 *
 * @module
 */

/** @typedef {import("./types.d.ts").Entry} Entry */
/** @typedef {import("./logger.js").Log} Log */
/** @typedef {import("./types.d.ts").Term} Term */

/** @typedef {ReturnType<typeof panelContext>} PanelContext */

/** @param {Log} log */
export function panelContext({ ring, selection, feed, source, use }) {
  return {
    ring,
    selection,
    historyUrl: source.history.url,
    /** The place of the first row that is shown, where the reader has cleared the view. */
    floor: () => feed.floor,
    isLeader: () => source.isLeader,
    /**
     * Opens the details of a row, or closes them.
     *
     * @param {number | undefined} seq
     */
    select: (seq) => use((controls) => controls.select(seq)),
    /** @param {Term} term */
    filterBy: (term) => use((controls) => controls.replaceTerm(undefined, term)),
    /** @param {string} text */
    highlight: (text) => use((controls) => controls.writeHighlight(text)),
    /**
     * Without filters, with this row in view.
     *
     * @param {number} seq
     */
    showInContext: (seq) => use((controls) => controls.showInContext(seq)),
    /**
     * @param {string} text
     * @param {{label: string, run: () => void}} [action]
     */
    toast: (text, action) => use((controls) => controls.toasts.show(text, action)),
    /** @param {Entry} entry */
    permalink: ({ id }) => {
      const link = new URL(location.pathname, location.origin);
      // The matchers belong to what the page shows; the filter does not.
      for (const [name, value] of new URL(location.href).searchParams) {
        if (/^match(_urlpattern)?$/.test(name)) link.searchParams.append(name, value);
      }
      link.hash = `${new URLSearchParams({ id })}`;
      return link.href;
    },
  };
}
