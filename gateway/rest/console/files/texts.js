// The texts of the console in the language of the browser. A further language is a further file like texts.en.js.

export { texts } from "./texts.en.js";
