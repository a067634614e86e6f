/** A doctor's session is off, or on again; the mini-program hears of it at once, as it would within five minutes. */
import { town } from './town.js'

async function turn(code, way, done) {
  await town('POST', `/his/schedules/${code}/${way}`)
  const { error, result } = await town('POST', '/scf/invoke/operations', {
    event: { action: 'schedules.sync', by: 'operator', schedule: code },
  })
  return error || result?.error ? `${done}小程序还没有听说，下一次取排班时才知道。` : done
}

export const stop = code => turn(code, 'stop', '停诊了。')
export const reopen = code => turn(code, 'reopen', '恢复出诊了。')
