/** The probes, which every service has. */
import { HEALTH, READINESS } from "../../../lib/api/health.ts";
import type { Routes } from "../operation.ts";

export const HEALTH_ROUTES: Routes = {
  "/healthz": {
    get: {
      id: "health",
      summary: "Whether the process answers",
      answers: { 200: { description: "It does", content: { "application/json": HEALTH } } },
    },
  },
  "/readyz": {
    get: {
      id: "readiness",
      summary: "Whether the service can do its work now",
      answers: { 200: { description: "It can", content: { "application/json": READINESS } } },
      problems: { 503: "It cannot, for this reason" },
    },
  },
};
