/** The floors: what is below never knows what is above, and no area knows another. */
const FLOORS = ['look', 'words', 'platform', 'api', 'session', 'parts']
const AREAS = '^src/(?!(?:look|words|platform|api|session|parts)/)[^/]+/'

const above = FLOORS.map((floor, at) => ({
  name: `${floor}-stays-below`,
  severity: 'error',
  from: { path: `^src/${floor}/` },
  to: { path: '^src/', pathNot: `^src/(?:${FLOORS.slice(0, at + 1).join('|')})/` },
}))

module.exports = {
  forbidden: [
    ...above,
    {
      name: 'areas-apart',
      severity: 'error',
      from: { path: '^src/([^/]+)/', pathNot: FLOORS.map(floor => `^src/${floor}/`) },
      to: { path: AREAS, pathNot: '^src/$1/' },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: '\\.d\\.ts$|^src/main\\.ts$' }, to: {} },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    includeOnly: '^src/',
  },
}
