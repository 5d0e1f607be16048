/** The routes of the logger: one page. */
import type { Routes } from "../operation.ts";
import { HEALTH_ROUTES } from "./health.ts";
import { LOGGER_FILE, page, redirect } from "./pages.ts";

export const LOGGER_ROUTES: Routes = {
  ...HEALTH_ROUTES,
  "/": { get: redirect("loggerRoot", "/logger/") },
  "/logger": { get: redirect("loggerWithoutSlash", "/logger/") },
  "/logger/": { get: page("loggerPage", "The logger page") },
  "/logger/{file}": { get: LOGGER_FILE },
};
