/** Where data lies: --data, $THREATFLOW_DATA, $XDG_DATA_HOME/threatflow, ~/.local/share/threatflow. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

export function dataDir(flag: string | undefined): string {
  if (flag) return resolve(flag);
  if (process.env.THREATFLOW_DATA) return resolve(process.env.THREATFLOW_DATA);
  return join(process.env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "threatflow");
}
