// The front end's name, as index.html titles it, and page titles made with it.
const product = typeof document === 'undefined' ? 'Tracker' : document.title;

export function getProduct(): string {
  return product;
}
