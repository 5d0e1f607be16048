/** The routes of the logger: one page. */
import type { Operation, Routes } from "../operation.ts";
import { HEALTH_ROUTES } from "./health.ts";
import { page, redirect } from "./pages.ts";

/** @param file is how the files of the page are served. */
export function loggerRoutes(file: Operation): Routes {
  return {
    ...HEALTH_ROUTES,
    "/": { get: redirect("loggerRoot", "/logger/") },
    "/logger": { get: redirect("loggerWithoutSlash", "/logger/") },
    "/logger/": { get: page("loggerPage", "The logger page") },
    "/logger/{file}": { get: file },
  };
}
