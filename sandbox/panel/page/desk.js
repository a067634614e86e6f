/**
 * The desk: cards from the files of `sections/`, each looked after by itself.
 *
 * A section is `export default { title, order, column, open }`: `column` is `near` (beside the phone) or `far`,
 * `open({ act, button })` gives `{ body, refresh }`: what the card holds, and what brings it up to date, every two
 * seconds and after each action. What goes wrong in `act`, or behind a `button`, is said in the card.
 */
import { el } from './draw.js'
import { newPhone, phone, show, Trouble } from './town.js'

const EVERY = 2000 // ms
const cards = []

function card(section) {
  const said = el('p', { class: 'said', role: 'status' })
  const say = (text, isBad = false) => {
    said.className = isBad ? 'said bad' : 'said'
    said.setAttribute('role', isBad ? 'alert' : 'status')
    said.textContent = text
  }
  /** Does something that a person asked for; what it returns is said, and what goes wrong as well. */
  const act = async (does) => {
    say('正在办…')
    try {
      say(await does() ?? '')
    }
    catch (trouble) {
      if (!(trouble instanceof Trouble))
        throw trouble
      say(trouble.message, true)
    }
    finally {
      await refresh()
    }
  }
  const button = (text, does, { kind = '', about = '' } = {}) => {
    const made = el('button', {
      type: 'button', class: kind, 'aria-label': about ? `${text} ${about}` : text,
      onclick: async () => {
        made.disabled = true
        made.setAttribute('aria-busy', 'true')
        await act(does).finally(() => {
          made.disabled = false
          made.removeAttribute('aria-busy')
        })
      },
    }, text)
    return made
  }
  const { body, refresh: look } = section.open({ act, button })
  const id = `title-${cards.length}`
  document.getElementById(section.column).append(
    el('section', { class: 'card', 'aria-labelledby': id }, el('h2', { id }, section.title), ...body, said))
  cards.push(look)
}

let underWay = null

/** Brings every card up to date; who asks while that goes on waits for the next round. */
function refresh() {
  underWay = (underWay ?? Promise.resolve()).then(round)
  return underWay
}

async function round() {
  const trouble = document.getElementById('trouble')
  const looked = await Promise.allSettled(cards.map(look => look()))
  const failed = looked.filter(one => one.status === 'rejected').map(one => one.reason)
  const strange = failed.find(one => !(one instanceof Trouble))
  if (strange)
    reportError(strange)
  trouble.hidden = failed.length === 0
  const text = failed[0] ? failed[0].message : ''
  if (trouble.textContent !== text)
    trouble.textContent = text
  document.getElementById('whose').textContent = phone() ? `手机号 ${phone().phone}` : '手机正在打开…'
}

document.getElementById('home').addEventListener('click', () => show(''))
document.getElementById('new-phone').addEventListener('click', newPhone)

const names = await (await fetch('sections.json')).json()
const sections = (await Promise.all(names.map(name => import(`./sections/${name}`)))).map(one => one.default)
sections.sort((one, other) => one.order - other.order).forEach(card)
for (;;) {
  if (!document.hidden)
    await refresh()
  await new Promise(resolve => setTimeout(resolve, EVERY))
}
