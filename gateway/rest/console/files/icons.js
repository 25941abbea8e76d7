// The drawings of the navigation and of buttons: lines in a square of 24.

import { s } from "./dom.js";

const LINES = {
  live: "M3 8a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM16 10.5l5-3v9l-5-3",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20a6.5 6.5 0 0 1 13 0M15.5 4.3a3.5 3.5 0 0 1 0 6.4M18 14a6.5 6.5 0 0 1 3.5 6",
  strangers: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M5 20a7 7 0 0 1 9.5-6.5M16.8 15.6a1.9 1.9 0 1 1 2.4 1.9c-.5.2-.7.5-.7 1v.3M18.5 21.4v.1",
  sightings: "M12 3a9 9 0 1 0 9 9M12 7v5l3 2M17 3.5h4v4",
  try: "M4 8V5a1 1 0 0 1 1-1h3M16 4h3a1 1 0 0 1 1 1v3M20 16v3a1 1 0 0 1-1 1h-3M8 20H5a1 1 0 0 1-1-1v-3M9 10v.5M15 10v.5M9 14.5a4.2 4.2 0 0 0 6 0",
  health: "M3 12h4l2.5-6 4.5 12 2.5-6H21",
  audit: "M6 3.5h9l3.5 3.5V20a.5.5 0 0 1-.5.5H6a.5.5 0 0 1-.5-.5V4a.5.5 0 0 1 .5-.5M9 10h6M9 13.5h6M9 17h4",
  tokens: "M14.5 14a5 5 0 1 0-4.6-3L3 18v3h3v-2h2v-2h2l2-2.3M16 8.5v.1",
  add: "M12 5v14M5 12h14",
  camera: "M4 8h3l1.5-2h7L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1M12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M5 20a7 7 0 0 1 14 0",
  warning: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.1",
  ok: "M5 12.5l4.5 4.5L19 7.5",
  out: "M14 4h4a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1h-4M10 8l-4 4 4 4M6 12h9",
};

/** Return a drawing. Screen readers skip it: the text beside it says the same. */
export function icon(name) {
  return s("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, s("path", { d: LINES[name] }));
}
