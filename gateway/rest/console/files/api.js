// Requests to the documented routes of the gateway, and the errors that they get.

// The gateway may stand below a path of a proxy, so addresses are relative to this file.
const BASE = new URL("../", import.meta.url);

let csrf = "";

/** An error that the gateway answered, or `offline` if there was no answer. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** Use the CSRF token of a session for all changes. */
export function useCsrf(token) {
  csrf = token ?? "";
}

/** Return the address of a route. `query`: empty values are left out. */
export function address(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url.href;
}

/** Return the document of a route. Throw Problem. */
export function get(path, query = {}, signal = undefined) {
  return request("GET", address(path, query), { signal });
}

/** Return the document of a route of `/api/v1`. Throw Problem. */
export function read(path, query, signal) {
  return get(`api/v1/${path}`, query, signal);
}

/** Change something by a route of `/api/v1`. `body`: the fields, a form, or nothing. Throw Problem. */
export function change(method, path, body = undefined) {
  const { headers, ...content } = encoded(body);
  return request(method, address(`api/v1/${path}`), { ...content, headers: { ...headers, "Idempotency-Key": randomKey() } });
}

/** Send a picture, or a form with two, to a route of `/api/v1` that changes nothing. Throw Problem. */
export function ask(path, body, query = {}, signal = undefined) {
  return request("POST", address(`api/v1/${path}`, query), { ...encoded(body), signal });
}

/** Send JSON to a route outside of `/api/v1`. Throw Problem. */
export function post(path, fields) {
  return request("POST", address(path), encoded(fields));
}

/** Return a text of a route, such as `metrics`. Throw Problem. */
export async function getText(path, signal) {
  const response = await fetch(address(path), { signal });
  if (response.ok) return response.text();
  throw await problemOf(response);
}

/** Return a file of `/api/v1`. Throw Problem. */
export async function readFile(path, signal) {
  const response = await send(address(`api/v1/${path}`), { signal });
  if (response.ok) return response.blob();
  throw await problemOf(response);
}

/**
 * Upload a form by a route of `/api/v1` that changes something, and return its document. Throw Problem.
 *
 * `report`: gets the share of the form that is sent, from 0 to 1. Leaving the view does not end the upload.
 */
export function upload(path, form, report) {
  return new Promise((resolve, reject) => {
    // Only this older interface of browsers tells how much of a request is sent.
    const sending = new XMLHttpRequest();
    sending.open("POST", address(`api/v1/${path}`));
    const headers = { Accept: "application/json", "Idempotency-Key": randomKey(), ...(csrf === "" ? {} : { "X-CSRF-Token": csrf }) };
    for (const [name, value] of Object.entries(headers)) sending.setRequestHeader(name, value);
    sending.upload.addEventListener("progress", ({ loaded, total }) => report(total > 0 ? loaded / total : 1));
    sending.addEventListener("error", () => reject(new Problem(0, "offline", "")));
    sending.addEventListener("load", async () => {
      const answer = new Response(sending.response, { status: sending.status, statusText: sending.statusText });
      if (answer.ok) resolve(answer.json());
      else reject(await problemOf(answer));
    });
    sending.send(form);
  });
}

/** Return the newest version of a picture of `/api/v1`, or null if there is none. */
export async function readPicture(path, query, signal) {
  const response = await fetch(address(`api/v1/${path}`, query), { signal }).catch(() => null);
  return response?.ok ? response.blob() : null;
}

function encoded(body) {
  if (body === undefined || body instanceof FormData || body instanceof Blob) return { body };
  return { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

// crypto.randomUUID exists only over HTTPS and on this machine.
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function request(method, url, { headers = {}, ...options }) {
  const token = method === "GET" || csrf === "" ? {} : { "X-CSRF-Token": csrf };
  const response = await send(url, { method, headers: { Accept: "application/json", ...headers, ...token }, ...options });
  if (response.ok) return response.headers.get("Content-Type")?.includes("json") ? response.json() : null;
  throw await problemOf(response);
}

async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "offline", "");
  }
}

async function problemOf(response) {
  const fields = await response.json().catch(() => ({}));
  const problem = new Problem(response.status, fields.code ?? "internal", fields.detail ?? response.statusText);
  // The shell asks for a token. A log-in that fails says so itself.
  if (response.status === 401 && !response.url.endsWith("/login")) document.dispatchEvent(new CustomEvent("unauthorized"));
  return problem;
}
