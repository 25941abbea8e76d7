// A place that takes pictures: by drop, paste, choice of files, or the camera of this device.

import { h } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { icon } from "./icons.js";
import { say } from "./messages.js";
import { texts } from "./texts.js";

const KINDS = "image/jpeg,image/png,image/webp,image/heic,image/heif";

/**
 * Return the element. `take`: gets each list of files. `signal`: ends the listening for pastes.
 *
 * `label`: of the input. `pastes`: whether this place takes what is pasted into the page.
 */
export function pictureIntake({ take, signal, many = true, label = null, pastes = true }) {
  const words = many ? texts.intake.choose : texts.intake.chooseOne;
  const input = h("input", {
    type: "file", accept: KINDS, multiple: many, "aria-label": label ?? words, class: "unseen",
    onchange: () => { give(take, input.files); input.value = ""; },
  });
  const choose = h("button", { type: "button", onclick: () => input.click(), "aria-label": label ? `${words}: ${label}` : null }, words);
  const camera = h("button", { type: "button", onclick: () => photograph(take), "aria-label": label ? `${texts.intake.camera}: ${label}` : null },
    icon("camera"), texts.intake.camera);
  const place = h("div", {
    class: "intake",
    ondragover: (event) => { event.preventDefault(); place.classList.add("over"); },
    ondragleave: () => place.classList.remove("over"),
    ondrop: (event) => { event.preventDefault(); place.classList.remove("over"); give(take, event.dataTransfer.files); },
  }, input, h("p", {}, many ? texts.intake.many : texts.intake.one), h("div", { class: "buttons" }, choose, camera));
  if (pastes) takePasted((files) => { if (place.isConnected) take(files); }, signal);
  return place;
}

/** Give each list of pasted files to `take`, until `signal` aborts. */
export function takePasted(take, signal) {
  document.addEventListener("paste", (event) => give(take, event.clipboardData.files), { signal });
}

function give(take, files) {
  const mayBePicture = (file) => file.type.startsWith("image/") || file.type === "";
  for (const file of files) if (!mayBePicture(file)) say(texts.intake.noPicture(file.name));
  const pictures = [...files].filter(mayBePicture);
  if (pictures.length > 0) take(pictures);
}

/** Take a photograph. Browsers allow the live camera only over HTTPS and on this machine; a phone has its own camera. */
function photograph(take) {
  if (navigator.mediaDevices === undefined) {
    const input = h("input", { type: "file", accept: "image/*", capture: "user", onchange: () => give(take, input.files) });
    input.click();
    return;
  }
  openDialog(texts.intake.camera, (dialog) => {
    const video = h("video", { autoplay: true, playsinline: true, muted: true, "aria-label": texts.intake.preview });
    const shoot = h("button", { type: "button", class: "primary", disabled: true, onclick: () => shot(video, take) },
      texts.intake.shoot);
    const fault = h("p", { class: "fault", role: "alert" });
    startCamera(dialog, video, shoot, fault);
    return [video, fault, h("div", { class: "buttons" },
      h("button", { type: "button", onclick: () => dialog.close() }, texts.close), shoot)];
  });
}

async function startCamera(dialog, video, shoot, fault) {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "user" } });
    const stop = () => stream.getTracks().forEach((track) => track.stop());
    if (!dialog.isConnected) return stop();
    dialog.addEventListener("close", stop);
    // Before its first frame the video has no size, and the picture would be empty.
    video.addEventListener("loadeddata", () => (shoot.disabled = false));
    video.srcObject = stream;
  } catch (error) {
    fault.textContent = texts.intake.noCamera(error.message);
  }
}

function shot(video, take) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => take([new File([blob], "photograph.jpg", { type: "image/jpeg" })]), "image/jpeg", 0.92);
  video.closest("dialog").close();
}
