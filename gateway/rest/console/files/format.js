// Times and numbers in the language of the browser.

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const AGO = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** Return the time of day, with the date unless it is today. `seconds`: since 1970. */
export function moment(seconds) {
  const date = new Date(seconds * 1000);
  return DAY.format(date) === DAY.format(new Date()) ? TIME.format(date) : MOMENT.format(date);
}

/** Return the time of day with seconds. `seconds`: since 1970. */
export function clock(seconds) {
  return CLOCK.format(new Date(seconds * 1000));
}

/** Return the date. `seconds`: since 1970. */
export function day(seconds) {
  return DAY.format(new Date(seconds * 1000));
}

/** Return a text such as "5 minutes ago". `seconds`: since 1970. */
export function ago(seconds) {
  const past = Math.max(0, Date.now() / 1000 - seconds);
  const [unit, size] = UNITS.find(([, each]) => past >= each) ?? UNITS.at(-1);
  return AGO.format(-Math.floor(past / size), unit);
}

/** Return a duration such as "1 min 20 s". */
export function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${rest} s` : `${rest} s`;
}

/** Return a score with two digits, or a dash if there is none. */
export function score(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2);
}

/** Return a size in bytes as megabytes. */
export function megabytes(bytes) {
  return `${Math.round(bytes / 1e6).toLocaleString()} MB`;
}

/** Return a size in bytes as gigabytes. */
export function gigabytes(bytes) {
  const size = bytes / 1e9;
  return `${size.toLocaleString(undefined, { maximumFractionDigits: size < 10 ? 1 : 0 })} GB`;
}

/** Return a whole number with the separators of the language. */
export function count(value) {
  return value.toLocaleString();
}
