// The few things this page needs of the DOM.

type Tags = HTMLElementTagNameMap;

/** The element of index.html with this id. Its absence is our own bug. */
export function byId<E extends Element = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html lacks #${id}`);
  return element as unknown as E;
}

export function make<T extends keyof Tags>(tag: T, className = "", text = ""): Tags[T] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

/** Writes text only where it changed, so that nothing is laid out for nothing. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const kSvg = "http://www.w3.org/2000/svg";

export function makeIcon(path: string, className = ""): SVGSVGElement {
  const icon = document.createElementNS(kSvg, "svg");
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  if (className !== "") icon.setAttribute("class", className);
  icon.append(makePath(path));
  return icon;
}

export function makePath(d: string, className = ""): SVGPathElement {
  const path = document.createElementNS(kSvg, "path");
  path.setAttribute("d", d);
  if (className !== "") path.setAttribute("class", className);
  return path;
}
