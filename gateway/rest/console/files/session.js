// The caller's role: the console offers only what this role may do.

import { get, post, useCsrf } from "./api.js";

const LEVELS = ["client", "viewer", "keeper", "privacy", "admin"];

/** The caller: `name` of the token (none on this machine), `role`, and whether there is a session to end. */
export const session = { name: null, role: null, canLogOut: false };

/** Ask the gateway who the caller is. Throw Problem. */
export async function loadSession() {
  take(await get("session"));
}

/** Begin a session. Throw Problem. */
export async function logIn(token) {
  take(await post("login", { token }));
}

/** End the session. */
export async function logOut() {
  await post("logout", {}).catch(() => null);
}

/** Return whether the caller has a role, or one after it. */
export function may(role) {
  return session.role === "system" || LEVELS.indexOf(session.role) >= LEVELS.indexOf(role);
}

function take(document) {
  useCsrf(document.csrf);
  Object.assign(session, { name: document.name ?? null, role: document.role, canLogOut: Boolean(document.csrf) });
}
