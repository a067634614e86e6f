/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** Where the functions answer, without a slash at the end; empty, in a browser alone: the page's own address. */
  readonly VITE_API_BASE: string
}

/** Of the program, as package.json has it. */
declare const __VERSION__: string

declare module '*.vue' {
  import type { DefineComponent } from 'vue'

  const component: DefineComponent<object, object, unknown>
  export default component
}
