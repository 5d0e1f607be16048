/// <reference lib="dom" />
/** A real browser from npm, and what every page has to stand in it. */
import chromium from "@sparticuz/chromium";
import axe from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

/** Starts headless Chromium. Needs no package of the system. */
export async function launchBrowser(): Promise<Browser> {
  // Playwright looks for the Windows Subsystem for Linux below /proc when it is loaded, and Deno lets nobody read
  // there who is not allowed everything. With this variable it does not look.
  Deno.env.set("__IS_WSL_TEST__", "1");
  const { chromium: playwright } = await import("playwright-core");
  return await playwright.launch({
    executablePath: await chromium.executablePath(),
    // Not the package's own arguments: they are for one page in one process, which ends with its first context.
    args: [
      // Chromium refuses to run its sandbox as root, which is who containers run tests as.
      "--no-sandbox",
      // It renders in software here, and would start a process that looks for a graphics card.
      "--disable-gpu",
    ],
  });
}

export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Console errors, uncaught errors and violations of the Content-Security-Policy so far. */
  readonly complaints: readonly string[];
}

/** Opens a page in a context of its own, and listens to what the browser complains of. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      // deno-lint-ignore no-console -- the page's console is how it reaches the test
      console.error(`Content-Security-Policy: ${event.violatedDirective} forbids ${event.blockedURI}`);
    });
  });
  await page.goto(url);
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** What axe finds wrong with the page as it is now: one line for each rule, with the elements. */
export async function findBarriers(page: Page): Promise<string[]> {
  // Through the debugger and not as a script element, which the page's own policy would rightly refuse.
  await page.evaluate(axe.source);
  return await page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run();
    return violations.map(({ id, nodes }) =>
      `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`
    );
  });
}
