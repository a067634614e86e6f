/** Drawing: elements by name, and parts of the page that change only when what they show does. */

/** An element. `properties`: attributes, and listeners as `onclick`; what is false or null is left away. */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith('on'))
      made.addEventListener(key.slice(2), value)
    else if (value !== false && value !== null && value !== undefined)
      made.setAttribute(key, value === true ? '' : value)
  }
  made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false))
  return made
}

/** A choice with a label: `options` are [value, text] or { label, options } for a group. */
export function choice(label, options, chosen, onchange) {
  const select = el('select', { 'aria-label': label, onchange: () => onchange(select.value) })
  fill(select, options, chosen)
  return select
}

/** Other options, the chosen one kept where it is still among them. */
export function fill(select, options, chosen = select.value) {
  const drawn = JSON.stringify(options)
  if (select.dataset.drawn !== drawn) {
    select.dataset.drawn = drawn
    select.replaceChildren(...options.map(one => Array.isArray(one)
      ? el('option', { value: one[0] }, one[1])
      : el('optgroup', { label: one.label }, one.options.map(([value, text]) => el('option', { value }, text)))))
  }
  if ([...select.options].some(one => one.value === chosen))
    select.value = chosen
}

/** Whether something is being typed or chosen in a part of the page. */
export function isInUse(part) {
  return part.contains(document.activeElement) && document.activeElement.matches('input, select')
}

const drawn = new WeakMap()

/** Draws `part` anew when `shown` is not what it was; whoever stands on a button in it goes on standing there. */
export function redraw(part, shown, draw) {
  const now = JSON.stringify(shown)
  if (drawn.get(part) === now || isInUse(part))
    return
  drawn.set(part, now)
  const at = part.contains(document.activeElement) ? document.activeElement.getAttribute('aria-label') : null
  part.replaceChildren(...[draw()].flat())
  if (at !== null)
    [...part.querySelectorAll('button')].find(one => one.getAttribute('aria-label') === at)?.focus()
}
