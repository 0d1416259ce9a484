document.getElementById("time").textContent = `It is ${new Date().toLocaleTimeString()}.`;
