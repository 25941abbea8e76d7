// Elements without a framework, and without HTML in strings: a name that contains markup stays text.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element. A function among the attributes is a listener (`onclick`); null and false leave one out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return an element of SVG. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Replace the content of an element. */
export function put(element, ...children) {
  element.replaceChildren(...present(children));
  return element;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...present(children));
  return element;
}

function present(children) {
  return children.flat(2).filter((each) => each !== null && each !== undefined && each !== false);
}
