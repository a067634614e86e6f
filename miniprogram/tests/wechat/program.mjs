/** A build's scripts, in a world of their own: what WeChat gives them is there, and nothing of Node or of a browser. */
import { existsSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { createContext, runInContext, Script } from 'node:vm'
import { markup } from './compilers.mjs'

/** What phones in use do not all have, and WeChat does not add. */
const TOO_YOUNG = `
  const gone = [
    [Array.prototype, ['at', 'findLast', 'findLastIndex', 'toReversed', 'toSorted', 'toSpliced', 'with']],
    [String.prototype, ['at', 'replaceAll']],
    [Object, ['groupBy', 'hasOwn']],
    [Promise, ['any', 'withResolvers']],
    [globalThis, ['Intl', 'WebAssembly', 'SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry', 'AggregateError']],
  ]
  for (const [owner, names] of gone)
    for (const name of names) delete owner[name]
  globalThis.global = globalThis
`

export class Program {
  /** `given`: the names that WeChat puts beside the language itself (wx, App, Page, …). */
  constructor(folder, given) {
    this.folder = folder
    this.app = this.json('app.json')
    this.packages = (this.app.subPackages ?? []).map(one => one.root)
    this.tabs = (this.app.tabBar?.list ?? []).map(one => one.pagePath)
    this.pages = [
      ...this.app.pages,
      ...(this.app.subPackages ?? []).flatMap(one => one.pages.map(page => `${one.root}/${page}`)),
    ]
    this.definitions = new Map()
    this.modules = new Map()
    this.loading = []
    this.markup = markup(folder)
    const Component = definition => void this.definitions.set(this.loading.at(-1), definition)
    this.context = createContext(
      { setTimeout, clearTimeout, setInterval, clearInterval, Component, Page: Component, ...given },
      { codeGeneration: { strings: false, wasm: false } },
    )
    runInContext(`{${TOO_YOUNG}}`, this.context)
  }

  json(path) {
    return JSON.parse(readFileSync(join(this.folder, path), 'utf8'))
  }

  /** The sub-package of a file; empty for the main package. */
  packageOf(path) {
    return this.packages.find(root => path.startsWith(`${root}/`)) ?? ''
  }

  /** What a file may use: its own package and the main one. */
  mayUse(from, path) {
    const package_ = this.packageOf(path)
    if (package_ && package_ !== this.packageOf(from))
      throw new Error(`${from} uses ${path}, which is of another package`)
  }

  /** A script's exports; it runs once. */
  load(path) {
    const known = this.modules.get(path)
    if (known)
      return known.exports
    const module = { exports: {} }
    this.modules.set(path, module)
    const require = (other) => {
      const target = posix.join(posix.dirname(path), other)
      this.mayUse(path, target)
      return this.load(target)
    }
    const code = readFileSync(join(this.folder, path), 'utf8')
    this.loading.push(path.replace(/\.js$/, ''))
    try {
      const whole = new Script(`(function (require, module, exports) {${code}\n})`, { filename: path })
      whole.runInContext(this.context)(require, module, module.exports)
    }
    finally {
      this.loading.pop()
    }
    return module.exports
  }

  /** A page or component with all that it uses: `{path, definition, draw, uses}`. */
  component(path, isPage = false) {
    const { usingComponents = {}, component } = this.json(`${path}.json`)
    if (!isPage && component !== true)
      throw new Error(`${path} is used as a component, and says not that it is one`)
    this.load(`${path}.js`)
    const definition = this.definitions.get(path)
    if (!definition)
      throw new Error(`${path}.js registers nothing`)
    const uses = Object.fromEntries(Object.entries(usingComponents).map(([tag, where]) => {
      const other = posix.join(where.startsWith('/') ? '' : posix.dirname(path), where)
      this.mayUse(path, other)
      if (!existsSync(join(this.folder, `${other}.json`)))
        throw new Error(`${path} uses ${other}, which is not there`)
      return [tag, other]
    }))
    return { path, definition, uses, draw: this.markup(path) }
  }
}
