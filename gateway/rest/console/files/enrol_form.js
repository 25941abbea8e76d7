// The form "Enrol this face" on the answer of /face_rec: its answer appears in the page instead of as JSON.

const form = document.querySelector("form[data-enrol]");
const status = form.querySelector("[role=status]");
const button = form.querySelector("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
    const answer = await response.json();
    status.textContent = response.ok ? [`${answer.name} is enrolled.`, ...answer.warnings.map((each) => each.text)].join(" ") : answer.detail;
  } catch {
    status.textContent = "The gateway does not answer.";
  }
  button.disabled = false;
});
