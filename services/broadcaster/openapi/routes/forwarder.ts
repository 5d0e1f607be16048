/** The routes of the forwarder: it has an HTTP port only where its `PORT` is set. */
import type { Routes } from "../operation.ts";
import { HEALTH_ROUTES } from "./health.ts";

export const FORWARDER_ROUTES: Routes = HEALTH_ROUTES;
