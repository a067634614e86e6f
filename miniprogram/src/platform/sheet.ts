/** The questions that WeChat itself would put to the person, drawn in the page: a browser has none of its own. */

const STYLE = `
.sheet { position: fixed; inset: 0; z-index: 9999; display: flex; align-items: flex-end; background: rgb(0 0 0 / 45%); }
.sheet form { box-sizing: border-box; width: 100%; padding: 24px 20px; background: #fff; border-radius: 12px 12px 0 0; font: 16px/1.5 system-ui, sans-serif; color: #17212b; }
.sheet h2 { margin: 0 0 8px; font-size: 18px; }
.sheet p { margin: 0 0 20px; color: #4a5763; }
.sheet input { box-sizing: border-box; width: 100%; height: 48px; margin-bottom: 16px; padding: 0 12px; border: 1px solid #5f6b76; border-radius: 8px; font-size: 16px; }
.sheet button { display: block; width: 100%; height: 48px; margin-top: 12px; border: 0; border-radius: 8px; background: #e9eef0; color: #17212b; font-size: 16px; }
.sheet button:first-of-type:not(:only-of-type) { background: #1b7a43; color: #fff; }
`

/** Which of the buttons was pressed; -1: `elsewhere` was over first. */
export function ask(title: string, text: string, buttons: readonly string[], elsewhere?: Promise<void>): Promise<number> {
  return open(title, text, buttons, null, elsewhere).then(([pressed]) => pressed)
}

/** What was typed; null: given up. */
export function askText(title: string, text: string): Promise<string | null> {
  return open(title, text, ['确定', '取消'], text).then(([pressed, typed]) => pressed === 0 && typed ? typed : null)
}

function open(
  title: string,
  text: string,
  buttons: readonly string[],
  label: string | null,
  elsewhere?: Promise<void>,
): Promise<[number, string]> {
  return new Promise((resolve) => {
    const sheet = element('div', 'sheet')
    const close = (number: number) => {
      window.removeEventListener('popstate', leave)
      sheet.remove()
      resolve([number, input.value.trim()])
    }
    const leave = () => close(buttons.length - 1) // who goes back leaves the question: its last button gives up
    const form = element('form')
    form.setAttribute('role', 'dialog')
    form.setAttribute('aria-modal', 'true')
    form.setAttribute('aria-label', title)
    form.append(element('style', '', STYLE), element('h2', '', title), element('p', '', text))
    const input = element('input') as HTMLInputElement
    if (label !== null) {
      input.setAttribute('aria-label', label)
      form.append(input)
    }
    buttons.forEach((name, number) => {
      const button = element('button', '', name)
      button.setAttribute('type', number === 0 ? 'submit' : 'button')
      button.addEventListener('click', (event) => {
        event.preventDefault()
        close(number)
      })
      form.append(button)
    })
    void elsewhere?.then(() => close(-1))
    sheet.append(form)
    document.body.append(sheet)
    window.addEventListener('popstate', leave)
    form.querySelector<HTMLElement>(label === null ? 'button' : 'input')?.focus()
  })
}

function element(tag: string, name = '', text = ''): HTMLElement {
  const made = document.createElement(tag)
  made.className = name
  made.textContent = text
  return made
}
