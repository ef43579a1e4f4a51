import type { Command } from './command.js';
import { attach } from './commands/attach.js';
import { completion } from './commands/completion.js';
import { commit } from './commands/commit.js';
import { cp } from './commands/cp.js';
import { create } from './commands/create.js';
import { diff } from './commands/diff.js';
import { events } from './commands/events.js';
import { exec } from './commands/exec.js';
import { imageInspect } from './commands/image-inspect.js';
import { imageSign, imageVerify } from './commands/image-signatures.js';
import { imageFsck, imagePrune } from './commands/image-store.js';
import { history } from './commands/history.js';
import { exportCommand } from './commands/export.js';
import { images } from './commands/images.js';
import { importCommand } from './commands/import.js';
import { info } from './commands/info.js';
import { inspect } from './commands/inspect.js';
import { kill } from './commands/kill.js';
import { load } from './commands/load.js';
import { login, logout } from './commands/login.js';
import { logs } from './commands/logs.js';
import { port } from './commands/port.js';
import { ps } from './commands/ps.js';
import { pull } from './commands/pull.js';
import { push } from './commands/push.js';
import { rm } from './commands/rm.js';
import { rmi } from './commands/rmi.js';
import { run } from './commands/run.js';
import { save } from './commands/save.js';
import { pause } from './commands/pause.js';
import { rename } from './commands/rename.js';
import { restart } from './commands/restart.js';
import { start } from './commands/start.js';
import {
  snapshotCreate,
  snapshotInspect,
  snapshotList,
  snapshotPrune,
  snapshotRemove,
  snapshotRestore,
} from './commands/snapshot.js';
import { stats } from './commands/stats.js';
import { stop } from './commands/stop.js';
import { containerPrune, systemDf, systemInstall, systemPrune, systemUninstall } from './commands/system.js';
import { tag } from './commands/tag.js';
import { templateCreate, templateList, templatePrune, templateRemove } from './commands/template.js';
import { top } from './commands/top.js';
import { unpause } from './commands/unpause.js';
import { update } from './commands/update.js';
import { systemAudit, systemMetrics } from './commands/watching.js';
import { version } from './commands/version.js';
import { volumeCreate, volumeInspect, volumeList, volumePrune, volumeRemove } from './commands/volume.js';
import { wait } from './commands/wait.js';

/** The CLI's own commands; plugins bring others. Actions take the flags of their own definition. */
export const COMMANDS = [
  run,
  create,
  start,
  attach,
  exec,
  ps,
  logs,
  stop,
  restart,
  kill,
  pause,
  unpause,
  rm,
  containerPrune,
  wait,
  inspect,
  top,
  stats,
  port,
  rename,
  update,
  cp,
  diff,
  exportCommand,
  commit,
  snapshotCreate,
  snapshotList,
  snapshotInspect,
  snapshotRestore,
  snapshotRemove,
  snapshotPrune,
  images,
  pull,
  push,
  load,
  importCommand,
  save,
  tag,
  rmi,
  history,
  imageInspect,
  imageFsck,
  imagePrune,
  imageSign,
  imageVerify,
  login,
  logout,
  info,
  events,
  systemAudit,
  systemMetrics,
  systemDf,
  systemPrune,
  systemInstall,
  systemUninstall,
  templateCreate,
  templateList,
  templateRemove,
  templatePrune,
  volumeCreate,
  volumeList,
  volumeInspect,
  volumeRemove,
  volumePrune,
  version,
  completion,
] as unknown as readonly Command[];
