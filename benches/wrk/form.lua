-- POST of a form of 1 KiB: sixteen fields of sixty-four bytes.
init = function(args)
  local fields = {}
  for i = 1, 16 do
    local name = string.format("field%02d=", i)
    fields[i] = name .. string.rep("v", 63 - #name)
  end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
  wrk.body = table.concat(fields, "&")
end
