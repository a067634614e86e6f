/** A page or component that lives: its data, its lifetimes, and what it draws. */
import { gone, grown } from './tree.mjs'

export class Component {
  /** `blueprint`: see `Program.component`. `host`: its node in the tree of whoever drew it; null for a page. */
  constructor(phone, blueprint, host, page = null) {
    this.phone = phone
    this.blueprint = blueprint
    this.host = host
    this.root = null
    this.isHeld = true
    this.isGone = false
    this.self = this.#object(page)
  }

  #object(page) {
    const { definition, path } = this.blueprint
    const values = copied(definition.data ?? {})
    for (const [name, one] of Object.entries(definition.properties ?? {}))
      values[name] = copied(one?.value)
    return {
      ...definition.methods,
      ...(page ? { route: page.path, options: page.query } : {}),
      is: path,
      data: values,
      properties: values,
      setData: (values, done) => this.set(values, done),
      triggerEvent: (type, detail) => this.host && this.phone.call(this.host, type, detail),
      selectAllComponents: () => [],
      selectComponent: () => null,
      getOpenerEventChannel: () => ({}),
    }
  }

  /** Comes to life: nothing is drawn while `attached` runs. */
  begin(attributes) {
    this.given(attributes)
    this.hook('created')
    this.hook('attached')
    this.isHeld = false
    this.draw()
    this.phone.later(() => !this.isGone && this.hook('ready'))
  }

  end() {
    this.isGone = true
    this.hook('detached')
    if (this.root)
      gone(this.root)
  }

  hook(name, ...values) {
    const does = this.blueprint.definition.lifetimes?.[name] ?? this.blueprint.definition[name]
    this.phone.safely(`${this.blueprint.path} ${name}`, () => does?.apply(this.self, values))
  }

  /** Attributes of the host are properties here. */
  given(attributes) {
    const { properties = {}, observers = {} } = this.blueprint.definition
    for (const [attribute, value] of Object.entries(attributes)) {
      const name = attribute.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())
      if (!(name in properties) || JSON.stringify(value) === JSON.stringify(this.self.data[name]))
        continue
      const old = this.self.data[name]
      this.self.data[name] = copied(value)
      properties[name].observer?.call(this.self, this.self.data[name], old)
      observers[name]?.call(this.self, value)
    }
  }

  set(values, done) {
    for (const [path, value] of Object.entries(values)) {
      if (typeof value === 'function')
        this.phone.fault(`${this.blueprint.path}: setData of a function, ${path}`)
      place(this.self.data, path, copied(value))
    }
    this.draw()
    if (done)
      this.phone.later(() => done.call(this.self))
  }

  draw() {
    if (this.isHeld || this.isGone)
      return
    this.isHeld = true // what is drawn may set data here again
    const before = JSON.stringify(this.self.data)
    this.root = grown(this, this.root, this.blueprint.draw(this.self.data))
    this.isHeld = false
    if (JSON.stringify(this.self.data) !== before)
      this.draw()
  }
}

function copied(value) {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value) ?? 'null')
}

/** `a.b[0].c` */
function place(data, path, value) {
  const steps = path.match(/[^.[\]]+/g)
  const last = steps.pop()
  let at = data
  steps.forEach((step, number) => at = at[step] ??= /^\d+$/.test(steps[number + 1] ?? last) ? [] : {})
  at[last] = value
}
