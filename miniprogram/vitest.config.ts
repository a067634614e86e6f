import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: { alias: [{ find: /^@\/platform$/, replacement: at('./tests/unit/host.ts') }, { find: /^@\//, replacement: at('./src/') }] },
  test: { include: ['tests/unit/**/*.test.ts'], restoreMocks: true },
})
