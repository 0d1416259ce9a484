-- POST with a body of so many bytes.
init = function(args)
  wrk.method = "POST"
  wrk.body = string.rep("x", tonumber(args[1]))
end
